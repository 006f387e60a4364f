// The same objects as `require` gives, so that `instanceof` holds whichever way they came.
import lambdabox from './dist/index.js';

export const {
  Platform,
  Invocation,
  Logs,
  LambdaError,
  InvalidParameterError,
  InvalidRequestContentError,
  UnsupportedMediaTypeError,
  InvalidZipFileError,
  UnauthenticatedError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  PreconditionFailedError,
  PayloadTooLargeError,
  ThrottledError,
  RuntimeUnavailableError,
  StoreUnavailableError,
  ClosedError,
  InternalError,
  FunctionError,
} = lambdabox;
