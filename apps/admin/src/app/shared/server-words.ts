import type { Problem } from '../core/http/problem';
import type { Language } from '../core/i18n/i18n';

/** What the server says in English where no code stands for it; `$1` is what it names. */
const KOREAN: readonly (readonly [RegExp, string])[] = [
  [/^must have at least (\d+) characters$/, '$1자 이상이어야 합니다'],
  [/^must have at most (\d+) characters$/, '$1자 이하여야 합니다'],
  [/^is one of the passwords that are tried first$/, '너무 흔해서 가장 먼저 시도되는 비밀번호입니다'],
  [/^is wrong, or was used before$/, '틀렸거나 이미 사용한 코드입니다'],
  [/^is wrong$/, '올바르지 않습니다'],
  [/^give a code, or the password$/, '코드 또는 비밀번호를 입력하세요'],
  [/^must be in the future$/, '현재보다 나중이어야 합니다'],
  [/^there is no such person$/, '그런 사용자가 없습니다'],
  [/^there is no such role$/, '그런 역할이 없습니다'],
  [/^there is no role (.+)$/, '역할 $1이(가) 없습니다'],
  [/^the client is not in this group$/, '클라이언트가 이 그룹에 속하지 않습니다'],
  [/^must name either user or role$/, '사용자와 역할 가운데 하나만 지정하세요'],
  [/^must be a JSON object$/, 'JSON 객체여야 합니다'],
  [/^must be given: your grant limits it$/, '제한이 걸린 값이므로 반드시 지정해야 합니다'],
  [/^must be <= (\S+) \(the limit of your grant\)$/, '$1 이하여야 합니다'],
  [/^must be >= (\S+) \(the limit of your grant\)$/, '$1 이상이어야 합니다'],
  [/^must be equal to one of the allowed values \(the limit of your grant\)$/, '허용된 값이 아닙니다'],
  [/^must be equal to constant \(the limit of your grant\)$/, '허용된 값이 아닙니다'],
  [/^must match pattern (.+) \(the limit of your grant\)$/, '$1 형식이어야 합니다'],
  [/^must be an email$|must be an email$/, '이메일 주소 형식이 아닙니다'],
  [/^name must be letters, digits, spaces, .+$/, '문자, 숫자, 공백, 마침표, 밑줄, 붙임표만 100자까지 쓸 수 있습니다'],
  [/^You cannot give what you do not have: (.+)$/, '본인에게 없는 권한은 줄 수 없습니다: $1'],
  [/^You cannot take what you do not have: (.+)$/, '본인에게 없는 권한은 거둘 수 없습니다: $1'],
  [/^This person may do what you may not: (.+)$/, '본인보다 권한이 많은 사용자는 바꿀 수 없습니다: $1'],
  [/^You need the permission (\S+)$/, '$1 권한이 필요합니다'],
  [/^You need the permission (\S+) on all clients$/, '모든 클라이언트에 대한 $1 권한이 필요합니다'],
  [/^Your rights were withdrawn a moment ago$/, '조금 전에 권한이 회수되었습니다'],
  [
    /^This session has not proven the second factor: give a code$/,
    '이 세션에서 2단계 인증을 하지 않았습니다. 코드를 입력하세요',
  ],
  [
    /^your rights have changed since this export was ordered; order it again$/,
    '주문한 뒤 권한이 바뀌었습니다. 다시 주문하세요',
  ],
  [
    /^the export could not be written; the server log says why$/,
    '파일을 만들지 못했습니다. 원인은 서버 로그에 있습니다',
  ],
  [/^Answered (\d+)$/, '응답 코드 $1'],
  [/^Answered (\d+): redirects are not followed$/, '응답 코드 $1: 리디렉션은 따라가지 않습니다'],
  [/^No answer within (\d+) s$/, '$1초 안에 응답이 없었습니다'],
  [/^No connection: (\S+)$/, '연결하지 못했습니다: $1'],
  [/^The mail server did not take it: (.+)$/, '메일 서버가 받지 않았습니다: $1'],
  [/^The address is not a public one; .+$/, '공개 주소가 아닙니다. ALERT_WEBHOOK_ALLOW에 적은 네트워크만 예외입니다'],
  [/^Without TLS only networks .+$/, 'TLS 없이는 ALERT_WEBHOOK_ALLOW에 적은 네트워크에만 보냅니다'],
  [/^must begin with (.+)$/, '$1(으)로 시작해야 합니다'],
  [/^must not hold a user or a password: .+$/, '주소에 사용자 이름이나 비밀번호를 넣을 수 없습니다'],
];

/** A sentence of the server's in the language of the reader; as it is where there is no translation. */
export function serverWords(sentence: string, language: Language): string {
  if (language === 'en') return sentence;
  const known = KOREAN.find(([pattern]) => pattern.test(sentence));
  return known ? sentence.replace(known[0], known[1]) : sentence;
}

/** Of a refusal whose reason only the server's own sentence tells; null where the general words are better. */
export function refusalWords(problem: Problem | null, language: Language): string | null {
  if (!problem || !['forbidden', 'not_granted'].includes(problem.code) || !problem.detail) return null;
  return serverWords(problem.detail, language);
}
