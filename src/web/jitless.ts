import { config } from "zod";

// zod compiles its checks with `new Function` where it may; a page without 'unsafe-eval' may not, and asking is reported.
config({ jitless: true });
