// The one list of handlers.

import type { Handler, LegacyHandler } from "../command/define.ts";
import { adminBanToggled, adminDeleted, checkVerified, profileDeleted } from "../legacy/handlers.ts";
import { check as checkAccess } from "./access/check.ts";
import { changeEmail } from "./account/change-email.ts";
import { changeLocale } from "./account/change-locale.ts";
import { confirm } from "./account/confirm.ts";
import { confirmEmail } from "./account/confirm-email.ts";
import { deleteAccount } from "./account/delete.ts";
import { exportAccount } from "./account/export.ts";
import { register } from "./account/register.ts";
import { resend } from "./account/resend.ts";
import { addOperator } from "./admin/add-operator.ts";
import { banUser } from "./admin/ban-user.ts";
import { changeRole } from "./admin/change-role.ts";
import { deleteRole } from "./admin/delete-role.ts";
import { deleteUser } from "./admin/delete-user.ts";
import { exportUser } from "./admin/export-user.ts";
import { findUsers } from "./admin/find-users.ts";
import { getUser } from "./admin/get-user.ts";
import { listOperators } from "./admin/list-operators.ts";
import { listRoles } from "./admin/list-roles.ts";
import { listSessions } from "./admin/list-sessions.ts";
import { removeOperator } from "./admin/remove-operator.ts";
import { requireMfa } from "./admin/require-mfa.ts";
import { resetMfa } from "./admin/reset-mfa.ts";
import { revokeSessions } from "./admin/revoke-sessions.ts";
import { setRoles } from "./admin/set-roles.ts";
import { unbanUser } from "./admin/unban-user.ts";
import { unlockUser } from "./admin/unlock-user.ts";
import { list as listKeys } from "./key/list.ts";
import { activate as activateMfa } from "./mfa/activate.ts";
import { disable as disableMfa } from "./mfa/disable.ts";
import { enroll as enrollMfa } from "./mfa/enroll.ts";
import { recoveryCodes } from "./mfa/recovery-codes.ts";
import { beginLogin } from "./passkey/begin-login.ts";
import { beginRegistration } from "./passkey/begin-registration.ts";
import { finishLogin } from "./passkey/finish-login.ts";
import { finishRegistration } from "./passkey/finish-registration.ts";
import { list as listPasskeys } from "./passkey/list.ts";
import { remove as removePasskey } from "./passkey/remove.ts";
import { change as changePassword } from "./password/change.ts";
import { forgot } from "./password/forgot.ts";
import { reset } from "./password/reset.ts";
import { inspect } from "./session/inspect.ts";
import { list as listOwnSessions } from "./session/list.ts";
import { login } from "./session/login.ts";
import { loginMfa } from "./session/login-mfa.ts";
import { logout } from "./session/logout.ts";
import { refresh } from "./session/refresh.ts";
import { revoke } from "./session/revoke.ts";

export const handlers = [
  register,
  confirm,
  resend,
  deleteAccount,
  exportAccount,
  changeEmail,
  changeLocale,
  confirmEmail,
  login,
  loginMfa,
  refresh,
  inspect,
  logout,
  listOwnSessions,
  revoke,
  changePassword,
  forgot,
  reset,
  enrollMfa,
  activateMfa,
  disableMfa,
  recoveryCodes,
  beginRegistration,
  finishRegistration,
  listPasskeys,
  removePasskey,
  beginLogin,
  finishLogin,
  listKeys,
  checkAccess,
  findUsers,
  getUser,
  listSessions,
  revokeSessions,
  setRoles,
  banUser,
  unbanUser,
  unlockUser,
  deleteUser,
  exportUser,
  listRoles,
  changeRole,
  deleteRole,
  resetMfa,
  requireMfa,
  listOperators,
  addOperator,
  removeOperator,
] as unknown as Handler[];

export const legacyHandlers: LegacyHandler[] = [profileDeleted, adminDeleted, checkVerified, adminBanToggled];
