import "./jitless.js";
import { loadCedar } from "./cedar.js";
import { serveChecks } from "./serve.js";

// Entry point of the worker of the page with Cedar.

serveChecks(loadCedar);
