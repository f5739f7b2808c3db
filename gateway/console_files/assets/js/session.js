// What the login told of the session, kept for the pages: the tenant and the scopes. It grants nothing; the cookie
// does, and the service checks it. It only spares the reader buttons that would be refused.

const KEY = "despacho.session";

export function remember({ tenant, scopes }) {
  localStorage.setItem(KEY, JSON.stringify({ tenant, scopes }));
}

export function forget() {
  localStorage.removeItem(KEY);
}

export function tenant() {
  return recalled()?.tenant ?? null;
}

// Whether the session may do this, as far as is known; where nothing is known, the service decides.
export function may(scope) {
  return recalled()?.scopes.includes(scope) ?? true;
}

function recalled() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}
