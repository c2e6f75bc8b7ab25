import "./jitless.js";
import { serveChecks } from "./serve.js";

// Entry point of the worker of the page without Cedar.

serveChecks();
