export interface GroupsOptions { readonly from?: unknown }
export async function groups(..._given: unknown[]): Promise<void> {}
