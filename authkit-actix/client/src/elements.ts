import { BANNER_CLASS, adoptBannerStyle } from "./banner.js";
import type { AuthKitClient, AuthState } from "./client.js";
import { authkit } from "./index.js";

/**
 * Makes the custom elements work:
 *
 * - `<authkit-signed-in hidden>` and `<authkit-signed-out hidden>` show their content to whom it
 *   concerns, and to nobody while nothing is known;
 * - `<authkit-impersonation>` says who is really behind the keyboard, with a button that ends it;
 *   its attributes are `side` (`top` or `bottom` of the window) and `return-to`.
 */
export function defineElements(client: AuthKitClient = authkit): void {
  if (!globalThis.customElements || customElements.get("authkit-signed-in")) return;

  abstract class AuthKitElement extends HTMLElement {
    #unsubscribe?: () => void;

    connectedCallback(): void {
      this.#unsubscribe = client.subscribe(() => this.show(client.getSnapshot()));
      this.show(client.getSnapshot());
    }

    disconnectedCallback(): void {
      this.#unsubscribe?.();
    }

    abstract show(state: AuthState): void;
  }

  class SignedIn extends AuthKitElement {
    show({ user }: AuthState): void {
      this.hidden = !user;
    }
  }

  class SignedOut extends AuthKitElement {
    show({ user, loading }: AuthState): void {
      this.hidden = loading || !!user;
    }
  }

  class Impersonation extends AuthKitElement {
    #shown = "";

    show({ user, impersonator, organizationId }: AuthState): void {
      const shown = user && impersonator ? `${impersonator.email} ${user.id} ${organizationId}` : "";
      if (shown === this.#shown) return;
      this.#shown = shown;
      this.replaceChildren();
      if (!user || !impersonator) return;
      adoptBannerStyle();
      const banner = document.createElement("aside");
      banner.className = BANNER_CLASS;
      banner.setAttribute("role", "status");
      const side = this.getAttribute("side");
      if (side) banner.dataset.side = side;
      const text = document.createElement("span");
      text.append(strong(impersonator.email), " is acting as ", strong(user.email));
      const stop = document.createElement("button");
      stop.type = "button";
      stop.textContent = "Stop";
      stop.onclick = () => client.signOut({ returnTo: this.getAttribute("return-to") ?? undefined });
      banner.append(text, stop);
      this.append(banner);
      client.getOrganization().then(
        (organization) => {
          if (organization && shown === this.#shown) text.append(" in ", strong(organization.name));
        },
        () => {},
      );
    }
  }

  customElements.define("authkit-signed-in", SignedIn);
  customElements.define("authkit-signed-out", SignedOut);
  customElements.define("authkit-impersonation", Impersonation);
}

function strong(text: string): HTMLElement {
  const element = document.createElement("strong");
  element.textContent = text;
  return element;
}
