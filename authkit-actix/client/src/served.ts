// The module as the server serves it: it lies under the prefix that its routes have.

import { defineElements } from "./elements.js";
import { shared } from "./index.js";

export * from "./index.js";

export const authkit = shared(new URL(".", import.meta.url).pathname.replace(/\/$/, ""));

defineElements(authkit);
