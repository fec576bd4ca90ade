import type { Words } from './en';

/** Korean. */
export const ko: Words = {
  lead: '계속하려면 로그인하세요',
  email: '이메일',
  password: '비밀번호',
  showPassword: '비밀번호 표시',
  otp: '일회용 코드',
  otpHint: '휴대전화의 인증 앱에 표시된 코드',
  submit: '로그인',
  busy: '로그인하는 중…',
  emailMissing: '이메일을 입력하세요',
  emailWrong: '이메일 주소 형식이 아닙니다',
  passwordMissing: '비밀번호를 입력하세요',
  otpMissing: '코드를 입력하세요',
  badCredentials: '이메일 또는 비밀번호가 올바르지 않습니다.',
};
