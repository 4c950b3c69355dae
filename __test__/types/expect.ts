/** Whether two types are the same, `any` being the same as `any` only. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** A compile-time assertion. */
export function expectType<_T extends true>(): void {}
