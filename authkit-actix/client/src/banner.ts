import css from "../../src/web/banner.css";

/** Gives the document the banner's look once, in a way that no Content-Security-Policy minds. */
export function adoptBannerStyle(): void {
  const sheets = document.adoptedStyleSheets;
  if (sheets.some((sheet) => OURS.has(sheet))) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  OURS.add(sheet);
  document.adoptedStyleSheets = [...sheets, sheet];
}

const OURS = new WeakSet<CSSStyleSheet>();

export const BANNER_CLASS = "authkit-impersonation";
