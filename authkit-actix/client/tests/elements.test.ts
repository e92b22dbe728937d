import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { defineElements } from "../src/elements.js";
import { AuthKitClient, authkit, shared } from "../src/index.js";
import { Server, session, settle } from "./server.js";

let server: Server;
const assign = vi.spyOn(location, "assign").mockImplementation(() => {});

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
});

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("all copies of the module share one client, so that a page asks once", () => {
  expect(shared("/authkit")).toBe(authkit);
  expect(shared("/other")).not.toBe(authkit);
  expect(authkit).toBeInstanceOf(AuthKitClient);
});

test("the elements show to each what concerns them", async () => {
  server.session = { ...session(), impersonator: { email: "<root>" } };
  defineElements(new AuthKitClient());
  defineElements(new AuthKitClient()); // Of the bundle, beside the server's.
  document.body.innerHTML = `
    <authkit-impersonation side="top" return-to="/bye"></authkit-impersonation>
    <authkit-signed-in hidden>in</authkit-signed-in><authkit-signed-out hidden>out</authkit-signed-out>`;
  const visible = () =>
    [...document.querySelectorAll("authkit-signed-in, authkit-signed-out")]
      .filter((element) => !(element as HTMLElement).hidden)
      .map((element) => element.textContent);
  expect(visible()).toEqual([]);
  await settle();
  expect(visible()).toEqual(["in"]);
  const banner = document.querySelector("aside")!;
  expect(banner.className).toBe("authkit-impersonation");
  expect(banner.dataset.side).toBe("top");
  expect(banner.textContent).toBe("<root> is acting as ada@example.com in AcmeStop");
  expect(document.adoptedStyleSheets).toHaveLength(1);

  banner.querySelector("button")!.click();
  await settle();
  expect(server.instructions).toEqual([{ return_to: "/bye" }]);
  expect(assign).toHaveBeenCalledOnce();
  expect(visible()).toEqual(["out"]);
  expect(document.querySelector("aside")).toBeNull();
});
