declare module "bunny" {
  const bunny: {
    readonly positions: ReadonlyArray<readonly [number, number, number]>;
    readonly cells: ReadonlyArray<readonly [number, number, number]>;
  };
  export = bunny;
}
