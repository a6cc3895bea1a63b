export interface TailOptions { readonly from?: unknown }
export async function tail(..._given: unknown[]): Promise<void> {}
