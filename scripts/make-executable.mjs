/** Makes the built command executable: npx links it as it is when it has linked this folder before. */
import { chmodSync } from "node:fs";

chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);
