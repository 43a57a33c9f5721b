"""Which status of the contract each refusal is answered with."""

from sendmeter import errors

STATUSES: dict[type[errors.Refusal], int] = {
    errors.InvalidRequest: 400,
    errors.Unauthorized: 401,
    errors.UsageLimitExceeded: 402,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.TooManyRequests: 429,
    errors.ProviderFailed: 502,
    errors.Unavailable: 503,
    errors.DatabaseUnavailable: 503,
}
