// Generated from src/handlers by `npm run generate`. Do not edit.

import type { Handler } from "../command/define.ts";
import type { Commands } from "../protocol/generated/schemas.ts";
import accessCheck from "./access/check.ts";
import accountChangeEmail from "./account/change-email.ts";
import accountChangeLocale from "./account/change-locale.ts";
import accountConfirm from "./account/confirm.ts";
import accountConfirmEmail from "./account/confirm-email.ts";
import accountDelete from "./account/delete.ts";
import accountExport from "./account/export.ts";
import accountRegister from "./account/register.ts";
import accountResend from "./account/resend.ts";
import adminAddOperator from "./admin/add-operator.ts";
import adminBanUser from "./admin/ban-user.ts";
import adminChangeRole from "./admin/change-role.ts";
import adminDeleteRole from "./admin/delete-role.ts";
import adminDeleteUser from "./admin/delete-user.ts";
import adminExportUser from "./admin/export-user.ts";
import adminFindUsers from "./admin/find-users.ts";
import adminGetUser from "./admin/get-user.ts";
import adminListOperators from "./admin/list-operators.ts";
import adminListRoles from "./admin/list-roles.ts";
import adminListSessions from "./admin/list-sessions.ts";
import adminRemoveOperator from "./admin/remove-operator.ts";
import adminRequireMfa from "./admin/require-mfa.ts";
import adminResetMfa from "./admin/reset-mfa.ts";
import adminRevokeSessions from "./admin/revoke-sessions.ts";
import adminSetRoles from "./admin/set-roles.ts";
import adminUnbanUser from "./admin/unban-user.ts";
import adminUnlockUser from "./admin/unlock-user.ts";
import keyList from "./key/list.ts";
import mfaActivate from "./mfa/activate.ts";
import mfaDisable from "./mfa/disable.ts";
import mfaEnroll from "./mfa/enroll.ts";
import mfaRecoveryCodes from "./mfa/recovery-codes.ts";
import passkeyBeginLogin from "./passkey/begin-login.ts";
import passkeyBeginRegistration from "./passkey/begin-registration.ts";
import passkeyFinishLogin from "./passkey/finish-login.ts";
import passkeyFinishRegistration from "./passkey/finish-registration.ts";
import passkeyList from "./passkey/list.ts";
import passkeyRemove from "./passkey/remove.ts";
import passwordChange from "./password/change.ts";
import passwordForgot from "./password/forgot.ts";
import passwordReset from "./password/reset.ts";
import sessionInspect from "./session/inspect.ts";
import sessionList from "./session/list.ts";
import sessionLogin from "./session/login.ts";
import sessionLoginMfa from "./session/login-mfa.ts";
import sessionLogout from "./session/logout.ts";
import sessionRefresh from "./session/refresh.ts";
import sessionRevoke from "./session/revoke.ts";

/** Does not compile where a handler serves another topic than its path says, or where a command has no handler. */
const byTopic: { [T in keyof Commands]: Handler<T> } = {
  "auth.access.check": accessCheck,
  "auth.account.change-email": accountChangeEmail,
  "auth.account.change-locale": accountChangeLocale,
  "auth.account.confirm": accountConfirm,
  "auth.account.confirm-email": accountConfirmEmail,
  "auth.account.delete": accountDelete,
  "auth.account.export": accountExport,
  "auth.account.register": accountRegister,
  "auth.account.resend": accountResend,
  "auth.admin.add-operator": adminAddOperator,
  "auth.admin.ban-user": adminBanUser,
  "auth.admin.change-role": adminChangeRole,
  "auth.admin.delete-role": adminDeleteRole,
  "auth.admin.delete-user": adminDeleteUser,
  "auth.admin.export-user": adminExportUser,
  "auth.admin.find-users": adminFindUsers,
  "auth.admin.get-user": adminGetUser,
  "auth.admin.list-operators": adminListOperators,
  "auth.admin.list-roles": adminListRoles,
  "auth.admin.list-sessions": adminListSessions,
  "auth.admin.remove-operator": adminRemoveOperator,
  "auth.admin.require-mfa": adminRequireMfa,
  "auth.admin.reset-mfa": adminResetMfa,
  "auth.admin.revoke-sessions": adminRevokeSessions,
  "auth.admin.set-roles": adminSetRoles,
  "auth.admin.unban-user": adminUnbanUser,
  "auth.admin.unlock-user": adminUnlockUser,
  "auth.key.list": keyList,
  "auth.mfa.activate": mfaActivate,
  "auth.mfa.disable": mfaDisable,
  "auth.mfa.enroll": mfaEnroll,
  "auth.mfa.recovery-codes": mfaRecoveryCodes,
  "auth.passkey.begin-login": passkeyBeginLogin,
  "auth.passkey.begin-registration": passkeyBeginRegistration,
  "auth.passkey.finish-login": passkeyFinishLogin,
  "auth.passkey.finish-registration": passkeyFinishRegistration,
  "auth.passkey.list": passkeyList,
  "auth.passkey.remove": passkeyRemove,
  "auth.password.change": passwordChange,
  "auth.password.forgot": passwordForgot,
  "auth.password.reset": passwordReset,
  "auth.session.inspect": sessionInspect,
  "auth.session.list": sessionList,
  "auth.session.login": sessionLogin,
  "auth.session.login-mfa": sessionLoginMfa,
  "auth.session.logout": sessionLogout,
  "auth.session.refresh": sessionRefresh,
  "auth.session.revoke": sessionRevoke,
};

export const handlers = Object.values(byTopic) as unknown as Handler[];
