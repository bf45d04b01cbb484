// Mails in English. Every kind that handlers send (accounts/mails.ts) has its template here and in each other language; a test compares.
import type { Language } from "../templates.ts";

const ifNotYou = 'If it was not you, somebody else knows your password: set a new one now, by "forgot password".';

const ifNotYouInside = [
  'If it was not you, somebody else is in your account: set a new password at once, by "forgot password". That ends all sessions. Then log in and look at your authenticator app, passkeys and recovery codes.',
  "If you cannot log in any more, write to those who run {product}.",
];

export const english: Language = {
  greeting: { named: "Hello {name},", plain: "Hello," },
  footer: "This mail was sent by {product} because of something that happened on {time}. Nobody reads answers to it.",
  templates: {
    confirm: {
      subject: "Confirm your e-mail address for {product}",
      before: ["You created an account on {product} with the login {login}. Please confirm that this is your address:"],
      link: "Confirm e-mail address",
      after: [
        "The link works once, until {expires}. If you did not create this account, you can ignore this message: the address will not be used.",
      ],
    },
    "confirm-list": {
      subject: "Confirm your e-mail address for {product}",
      before: [
        "Several accounts on {product} wait for this e-mail address to be confirmed. The first one that is confirmed gets the address, and the others are deleted. Please confirm the account that you created:",
      ],
      links: "Confirm the account with the login {login}",
      after: [
        "Each link works once, until {expires}. {product} will also ask for the password of the account, or for the browser in which you created it.",
        "If you created none of these accounts, you can ignore this message: the address will not be used.",
      ],
    },
    "email-taken": {
      subject: "{product}: you have an account already",
      before: [
        "somebody has just given your e-mail address, to make an account or to move one to it. You have an account with this address already, so nothing was done.",
      ],
      after: [
        "If it was you and you have forgotten your password, ask for a new one. If it was not you, there is nothing to do.",
      ],
    },
    reset: {
      subject: "{product}: set a new password",
      before: [
        "a new password was asked for your account. To set one, open this link soon: it is good for a short time, and once.",
      ],
      link: "Set a new password",
      after: ["If you did not ask for it, do nothing: your password stays as it is."],
    },
    "email-confirm": {
      subject: "{product}: confirm your new e-mail address",
      before: ["an account is to have this e-mail address from now on. To confirm it, open this link."],
      link: "Confirm the address",
      after: ["If you did not ask for it, do nothing: without the link nothing changes."],
    },
    "email-change-requested": {
      subject: "{product}: another e-mail address was asked for",
      before: [
        "somebody who knows your password has asked for your account to have another e-mail address. Until a link that went there is opened, nothing changes.",
      ],
      after: [ifNotYou, "A new password also takes that link back."],
    },
    "email-changed": {
      subject: "{product}: your e-mail address has changed",
      before: ["your account has another e-mail address now, and mails go there from here on."],
      after: ["If it was not you, write to those who run {product} at once."],
    },
    "password-changed": {
      subject: "{product}: your password has changed",
      before: ["the password of your account was changed, and all other sessions have ended."],
      after: [ifNotYou],
    },
    "password-reset": {
      subject: "{product}: a new password was set",
      before: ["a new password was set for your account by a link in a mail, and all sessions have ended."],
      after: [
        "If it was not you, somebody else can read your mails: make your mailbox safe first, then set a new password.",
      ],
    },
    "data-exported": {
      subject: "{product}: a copy of your data was taken",
      before: [
        "A copy of everything that is held about your account was taken by somebody who was logged in to it. It says which devices you log in with and what you did, and it has no password.",
      ],
      after: ["If it was you, there is nothing to do.", ...ifNotYouInside],
    },
    "totp-activated": {
      subject: "{product}: an authenticator app was set up",
      before: [
        "an authenticator app was set up for your account: logging in with the password asks for its code from now on. New recovery codes were made; those from before do not work any more.",
      ],
      after: ifNotYouInside,
    },
    "totp-disabled": {
      subject: "{product}: the authenticator app was removed",
      before: [
        "the authenticator app of your account was removed: its codes do not work any more, and nothing asks for them.",
      ],
      after: ifNotYouInside,
    },
    "recovery-codes": {
      subject: "{product}: new recovery codes",
      before: ["new recovery codes were made for your account. Those from before do not work any more."],
      after: ifNotYouInside,
    },
    "passkey-added": {
      subject: "{product}: a passkey was added",
      before: ["a passkey was added to your account: the device that has it can log in with it."],
      after: ifNotYouInside,
    },
    "passkey-removed": {
      subject: "{product}: a passkey was removed",
      before: ["a passkey of your account was removed: nobody can log in with it any more."],
      after: ifNotYouInside,
    },
    "mfa-reset": {
      subject: "{product}: authenticator app, passkeys and recovery codes were removed",
      before: [
        "those who run {product} have removed the authenticator app, the passkeys and the recovery codes of your account, and all sessions have ended. The password alone logs in now.",
      ],
      after: [
        "If you asked for it, log in and set up an authenticator app or a passkey again.",
        "If you did not, write to those who run {product} at once, and set a new password.",
      ],
    },
  },
};
