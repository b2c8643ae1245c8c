// What a caller is refused with: a code that the page branches on and words for
// a developer.

// statuses is the one table from code to HTTP status.
export const statuses = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden_origin: 403,
  not_found: 404,
  conflict: 409,
  order_not_payable: 409,
  product_unavailable: 409,
  body_too_large: 413,
  unsupported_content: 415,
  internal: 500,
  wechat_refused: 502,
  misconfigured: 503,
  not_selling: 503,
  wechat_unavailable: 503,
};

export class Refusal extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}

export const refuse = (code, message, cause) => new Refusal(code, message, { cause });
