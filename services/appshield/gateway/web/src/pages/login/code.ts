/// A one-time code comes behind the `#`, which browsers do not send to anybody.
export const LOGIN_CODE = /^#?login=(.+)$/;
