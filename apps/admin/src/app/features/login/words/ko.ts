import type { Words } from './en';

/** Korean. */
export const ko: Words = {
  lead: '계속하려면 로그인하세요',
  email: '이메일',
  password: '비밀번호',
  showPassword: '비밀번호 표시',
  otp: '일회용 코드',
  otpHint: '휴대전화의 인증 앱에 표시된 코드 또는 복구 코드',
  submit: '로그인',
  busy: '로그인하는 중…',
  emailMissing: '이메일을 입력하세요',
  emailWrong: '이메일 주소 형식이 아닙니다',
  passwordMissing: '비밀번호를 입력하세요',
  otpMissing: '코드를 입력하세요',
  badCredentials: '이메일 또는 비밀번호가 올바르지 않습니다.',
  or: '또는',
  signOn: (name) => `${name}(으)로 계속하기`,
  errors: {
    openid_unavailable: '통합 로그인 서비스가 응답하지 않습니다. 잠시 후 다시 시도하거나 비밀번호로 로그인하세요.',
    openid_denied: '통합 로그인이 거부되었거나 취소되었습니다.',
    openid_expired: '로그인을 시작한 지 10분이 지났거나 다른 브라우저에서 시작했습니다. 처음부터 다시 시도하세요.',
    openid_invalid:
      '통합 로그인 서비스의 응답이 올바르지 않습니다. 처음부터 다시 시도하고, 문제가 계속되면 관리자에게 알려 주세요.',
    email_unverified: '통합 로그인 서비스에서 확인된 이메일을 받지 못했습니다. 해당 서비스의 관리자에게 문의하세요.',
    email_taken: '이 이메일로 비밀번호 로그인을 사용하는 계정이 이미 있습니다. 관리자에게 문의하세요.',
    account_disabled: '사용이 중지된 계정입니다. 관리자에게 문의하세요.',
    openid_failed: '통합 로그인에 실패했습니다. 원인은 서버 로그에 있습니다.',
  },
};
