/** Serverless functions, embedded: see `Platform`. */

export {
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
} from './errors.js';
export type { ErrorParts } from './errors.js';
export { Invocation } from './invocation.js';
export type {
  ExecuteOptions,
  InvokeOptions,
  LogChunk,
  MapOptions,
  Outcome,
  TestOptions,
} from './invocation.js';
export { Logs } from './logs.js';
export type { FollowOptions, LogEvent, LogItem } from './logs.js';
export { Platform } from './platform.js';
export type {
  DeployedFunction,
  DeployFunctionOptions,
  FunctionChange,
  FunctionInfo,
  InvocationFilter,
  InvocationInfo,
  Page,
  PageOptions,
  Readiness,
  RecorderStatus,
  SummaryFilter,
  Token,
  Trouble,
} from './platform.js';
export type {
  AliasInfo,
  CheckFinding,
  ContainersOptions,
  Figures,
  FiguresPoint,
  FunctionCode,
  FunctionFailure,
  FunctionFigures,
  FunctionSpec,
  InvocationFigures,
  PlatformOptions,
  PoolOptions,
  PoolState,
  ProvisionedState,
  RetentionOptions,
  RuntimeFigures,
  Timings,
} from '../native.js';
