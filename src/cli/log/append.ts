export interface AppendOptions { readonly from?: unknown }
export async function append(..._given: unknown[]): Promise<void> {}
