/**
 * Builds the pages: one HTML file each with its script, its worker and its styles inside. dist/web/verifier.html and, with
 * Cedar's engine, dist/web/verifier-cedar.html verify; dist/web/console.html is the operators' console. Fails when a file is larger than it may be, or would hold what
 * the page's own policy refuses to run.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

/** Each page: its text, script, styles and worker, what it may connect to, and how many bytes it may have. */
const verifier = { html: "page.html", script: "page.tsx", styles: ["page.css"], connect: "'none'" };
const pages = {
  "verifier.html": { ...verifier, worker: "worker.ts", maxBytes: 1_500_000 },
  "verifier-cedar.html": { ...verifier, worker: "worker-cedar.ts", maxBytes: 7_000_000 },
  "console.html": {
    html: "console/console.html",
    script: "console/console.tsx",
    styles: ["page.css", "console/console.css", "console/views.css"],
    worker: "worker.ts",
    connect: "'self'",
    maxBytes: 2_500_000,
  },
};
const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name) => readFileSync(path(`src/web/${name}`), "utf8");

/** One classic script. The package's own code comes from its source, for a browser; zod's words in one language. */
async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [path(`src/web/${entry}`)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
    // The schema validator makes a base address of the worker's own, which is no address in a worker made from a Blob
    // and would differ from host to host. Without it, it takes the one it has in Node.
    define: { "self.location": "undefined" },
    tsconfig: path("src/web/tsconfig.json"),
    logLevel: "error",
    loader: { ".wasm": "binary" },
    plugins: [
      { name: "one-language", setup: oneLanguage },
      { name: "cedar-wasm-bytes", setup: cedarBytes },
    ],
  });
  return inert(outputFiles[0].text, entry);
}

function oneLanguage({ onResolve }) {
  onResolve({ filter: /locales\/index\.js$/ }, ({ resolveDir }) =>
    /[\\/]zod[\\/]/.test(resolveDir) ? { path: join(resolveDir, "../locales/en.js") } : undefined,
  );
}

/** The module that the package's own loader would fetch; a page fetches nothing. */
function cedarBytes({ onResolve }) {
  onResolve({ filter: /^cedar-wasm-bytes$/ }, () => ({
    path: fileURLToPath(new URL("cedar_wasm_bg.wasm", import.meta.resolve("@cedar-policy/cedar-wasm/web"))),
  }));
}

/** Text that ends no script element and begins none. esbuild has escaped what it found in strings. */
function inert(text, what) {
  if (/<\/script|<script|<!--/i.test(text))
    throw new Error(`${what} holds text that would end or nest a script element`);
  return text;
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What a page may do: run its own script and style, and connect where it says. */
function policyOf({ script, style, connect }) {
  return [
    "default-src 'none'",
    `script-src ${hash(script)} 'wasm-unsafe-eval'`,
    `style-src ${hash(style)}`,
    "worker-src blob:",
    `connect-src ${connect}`,
    "img-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

const bundled = new Map();

/** Each script is made once, however many pages hold it. */
async function scriptOf(entry) {
  if (!bundled.has(entry)) bundled.set(entry, await bundle(entry));
  return bundled.get(entry);
}

mkdirSync(path("dist/web"), { recursive: true });
const digests = {};
for (const [name, { html, script: entry, styles, worker, connect, maxBytes }] of Object.entries(pages)) {
  const script = await scriptOf(entry);
  const style = (await transform(styles.map(read).join("\n"), { loader: "css", minify: true })).code.trim();
  const parts = { policy: policyOf({ script, style, connect }), style, worker: await scriptOf(worker), script };
  const page = Object.entries(parts).reduce((text, [part, content]) => {
    const [before, after, more] = text.split(`/* ${part} */`);
    if (after === undefined || more !== undefined) throw new Error(`${html} must name its ${part} once`);
    return `${before}${content}${after}`;
  }, read(html));
  const bytes = Buffer.byteLength(page);
  if (bytes > maxBytes) throw new Error(`${name} has ${bytes} bytes, at most ${maxBytes} are allowed`);
  writeFileSync(path(`dist/web/${name}`), page);
  digests[name] = `sha256:${createHash("sha256").update(page).digest("hex")}`;
  console.log(`web: ${name}, ${bytes} bytes of at most ${maxBytes}`);
}
// Published with the package: whoever gets a page elsewhere can compare it.
writeFileSync(path("dist/web/digests.json"), `${JSON.stringify(digests, null, 2)}\n`);
