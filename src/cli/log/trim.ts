export interface TrimOptions { readonly from?: unknown }
export async function trim(..._given: unknown[]): Promise<void> {}
