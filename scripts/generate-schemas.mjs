/**
 * Writes spec/schemas/NAME.json for every published contract, and spec/openapi.json, read from the build. `--check`
 * compares.
 */
import { existsSync, readdirSync } from "node:fs";
import { z } from "zod";
import { publishedSchemas } from "../dist/contracts/schemas.js";
import { openApi } from "../dist/control/routes.js";
import { settle } from "./generated.mjs";

/** zod types that JSON cannot carry; a contract that uses one is broken. */
const notJson = "bigint date function map nan promise set symbol transform undefined void".split(" ");

/** Custom types stand for JSON of any content: any value, or any object when they refuse an array. */
function override({ zodSchema, jsonSchema, path }) {
  const { type } = zodSchema._zod.def;
  if (notJson.includes(type)) throw new Error(`/${path.join("/")}: ${type} has no JSON form`);
  if (type === "custom" && !zodSchema.safeParse([]).success) jsonSchema.type = "object";
}

const folder = "spec/schemas";
const files = {};
for (const [name, schema] of Object.entries(publishedSchemas)) {
  if (!/^[a-z0-9]+(?:[.-][a-z0-9]+)*$/.test(name)) throw new Error(`${name}: not a file name`);
  const { $schema, ...rest } = z.toJSONSchema(schema, { unrepresentable: "any", override });
  const document = { $schema, $id: `urn:${name.replace(".", ":")}`, title: name, ...rest };
  files[`${folder}/${name}.json`] = `${JSON.stringify(document, null, 2)}\n`;
}
if (Object.keys(files).length === 0) throw new Error("dist/contracts/schemas.js publishes no schema");
files["spec/openapi.json"] = `${JSON.stringify(openApi(), null, 2)}\n`;

const present = existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [];
const stale = present.filter((path) => path.endsWith(".json") && !(path in files));
settle("schemas", "scripts/generate-schemas.mjs", files, stale);
