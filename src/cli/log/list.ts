export interface ListOptions { readonly from?: unknown }
export async function list(..._given: unknown[]): Promise<void> {}
