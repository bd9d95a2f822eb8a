// Checks Kubernetes label selectors before the API server is asked with them. Control thread.

const NAME = '[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const KEY = `(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?${NAME}`;
const VALUE = `(?:${NAME})?`;
const REQUIREMENT = new RegExp(
  `^\\s*(?:!\\s*${KEY}|${KEY}(?:\\s*(?:=|==|!=)\\s*${VALUE}|\\s+(?:in|notin)\\s*\\(\\s*${VALUE}\\s*(?:,\\s*${VALUE}\\s*)*\\)|\\s*[<>]\\s*-?\\d+)?)\\s*$`,
);

/** Whether `text` is a label selector as the Kubernetes API takes it: `a=b,c in (d, e),!f`. */
export function isLabelSelector(text: string): boolean {
  if (text.trim() === '') return true;
  // Commas inside parentheses belong to a requirement.
  return text.split(/,(?![^(]*\))/).every((requirement) => REQUIREMENT.test(requirement));
}
