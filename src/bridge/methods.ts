// The six methods of auth.Auth (proto/auth.proto): each sends one command to the fleet and converts its answer. Fields
// are passed on unchecked, because the fleet has the rules. Sessions opened here do not rotate, because RefreshToken
// cannot return a new cookie.
import type { Verified, Verifier } from "../client/verifier.ts";
import type { Config } from "../config/read.ts";
import { refuse } from "../protocol/errors.ts";
import type { Commands, Tokens } from "../protocol/generated/schemas.ts";
import type { Device } from "./metadata.ts";
import { Unrepresentable } from "./status.ts";

/** Sends a request to the fleet with the call's deadline, cancellation and trace. */
export type Ask = <T extends keyof Commands>(topic: T, input: Commands[T]["input"]) => Promise<Commands[T]["result"]>;

/** Returns the device that the caller serves, if known; where it is not, that is counted. */
type KnownDevice = () => Device | undefined;

type UserCreateRequest = { login: string; email: string; password: string; username: string };
type TokenRequest = { token_pod: string };
type CookieRequest = { refresh_token: string };
type UserLoginRequest = { login: string; password: string };
type UserCurrentRequest = { access_token: string };

type Okey = { success: boolean };
type Cookie = { key: string; value: string; httponly: boolean; secure: boolean; samesite: string; max_age: number };
type CookieResponse = { access_token: string; cookie: Cookie };
type AccessTokenResponse = { access_token: string };
type CurrentUserResponse = { id: number; login: string; is_active: boolean; is_verified: boolean; role: string };
type Empty = Record<string, never>;

export interface BridgeMethods {
  CreateUser(request: UserCreateRequest, ask: Ask, device: KnownDevice): Promise<Okey>;
  RegistrationUser(request: TokenRequest, ask: Ask, device: KnownDevice): Promise<CookieResponse>;
  RefreshToken(request: CookieRequest, ask: Ask): Promise<AccessTokenResponse>;
  Authenticate(request: UserLoginRequest, ask: Ask, device: KnownDevice): Promise<CookieResponse>;
  CurrentUser(request: UserCurrentRequest, ask: Ask): Promise<CurrentUserResponse>;
  LogOutUser(request: TokenRequest, ask: Ask): Promise<Empty>;
}

type CookieConfig = Pick<Config, "AUTH_COOKIE_MAX_AGE" | "AUTH_COOKIE_SAMESITE">;

export function makeMethods(config: CookieConfig, verifier: Pick<Verifier, "verify" | "end">): BridgeMethods {
  return {
    async CreateUser({ login, username, email, password }, ask, device) {
      await ask("auth.account.register", { login, username, email, password, ...clientOf(device) });
      return { success: true };
    },

    async RegistrationUser({ token_pod: token }, ask, device) {
      const noProof = { registrationSecret: "", password: "" }; // the gateway has neither: AUTH_CONFIRM_WITHOUT_PROOF
      const request = { token, ...noProof, rotating: false, ...clientOf(device) };
      return withCookie(await ask("auth.account.confirm", request), config);
    },

    async RefreshToken({ refresh_token: refreshToken }, ask) {
      const { accessToken } = await ask("auth.session.refresh", { refreshToken });
      return { access_token: accessToken };
    },

    async Authenticate({ login, password }, ask, device) {
      const request = { login, password, rotating: false, ...clientOf(device) };
      const { tokens } = await ask("auth.session.login", request);
      // A challenge cannot be answered here: none of the six methods takes a second factor.
      if (tokens === null) throw refuse("MFA_REQUIRED");
      return withCookie(tokens, config);
    },

    async CurrentUser({ access_token: accessToken }, ask) {
      const inspect = (token: string) => ask("auth.session.inspect", { accessToken: token });
      return currentUser(await verifier.verify(accessToken, { inspect }));
    },

    async LogOutUser({ token_pod: accessToken }, ask) {
      await ask("auth.session.logout", { accessToken });
      verifier.end(accessToken); // the caller knows that it ended, so the next CurrentUser here must know too
      return {};
    },
  };
}

function clientOf(device: KnownDevice): { client?: Device } {
  const client = device();
  return client === undefined ? {} : { client };
}

type SessionTokens = Pick<Tokens, "accessToken" | "refreshToken">;

function withCookie({ accessToken, refreshToken }: SessionTokens, config: CookieConfig): CookieResponse {
  return {
    access_token: accessToken,
    cookie: {
      key: "refresh_token",
      value: refreshToken,
      httponly: true,
      secure: true,
      samesite: config.AUTH_COOKIE_SAMESITE,
      max_age: Math.floor(config.AUTH_COOKIE_MAX_AGE / 1000),
    },
  };
}

const int32Max = 2 ** 31 - 1;

/** @throws Unrepresentable where the id exceeds int32: truncated, it would be another user's */
function currentUser(identity: Pick<Verified, "userId" | "login" | "roles">): CurrentUserResponse {
  if (identity.userId > int32Max) throw new Unrepresentable("The id of this user is too large for an int32.");
  return {
    id: identity.userId,
    login: identity.login,
    is_active: true, // implied by a valid token
    is_verified: true,
    role: identity.roles.includes("admin") ? "admin" : "user",
  };
}
