/** Cedar's module as the build puts it into the page (scripts/build-web.mjs). */
declare module "cedar-wasm-bytes" {
  const bytes: Uint8Array;
  export default bytes;
}
