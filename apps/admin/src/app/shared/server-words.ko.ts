/** `$1` and so on are what the sentence names. */
export type Translation = readonly [pattern: RegExp, korean: string];

/** A field, or each of its values, at the beginning of what is said by the decorators of a body: it is known where it stands. */
const OF = '^(?:each value in )?[\\w.]+';
const of = (rest: string): RegExp => new RegExp(`${OF} ${rest}$`);

/** Of bodies and queries, by their decorators. */
const BODIES: readonly Translation[] = [
  [of('must be shorter than or equal to (\\d+) characters'), '$1자 이하여야 합니다'],
  [of('must be longer than or equal to (\\d+) characters'), '$1자 이상이어야 합니다'],
  [of('must not be less than (\\S+)'), '$1 이상이어야 합니다'],
  [of('must not be greater than (\\S+)'), '$1 이하여야 합니다'],
  [of('must be an integer number'), '정수여야 합니다'],
  [
    of('must be a number conforming to the specified constraints'),
    '숫자가 아니거나 소수점 아래 자릿수가 너무 많습니다',
  ],
  [of('must be a string'), '문자열이어야 합니다'],
  [of('must be a boolean value'), 'true 또는 false여야 합니다'],
  [of('must be an array'), '목록이어야 합니다'],
  [of('must be (?:an object|either object or array)'), '객체여야 합니다'],
  [of('must be a UUID'), 'ID 형식이 아닙니다'],
  [of('must be an email'), '이메일 주소 형식이 아닙니다'],
  [of('must be one of the following values: (.+)'), '다음 중 하나여야 합니다: $1'],
  [of('must contain no more than (\\d+) elements'), '최대 $1개입니다'],
  [of('must contain at least (\\d+) elements'), '적어도 $1개가 필요합니다'],
  [of('should not be (?:null or undefined|empty)'), '꼭 필요한 항목입니다'],
  [of('must be a date, or a date and time with its zone, .+'), '날짜 또는 시간대가 있는 날짜와 시각이어야 합니다'],
  [
    of('must be letters, digits, spaces, dots, .+'),
    '문자, 숫자, 공백, 마침표, 밑줄, 붙임표만 100자까지 쓸 수 있습니다',
  ],
  [of('must be letters, digits, spaces and (.+), at most (\\d+)'), '문자, 숫자, 공백과 $1 만 $2자까지 쓸 수 있습니다'],
  [
    of('must be letters, digits, dots, dashes .+'),
    '문자, 숫자, 마침표, 붙임표, 밑줄만 100자까지 쓸 수 있으며 ID처럼 보이지 않아야 합니다',
  ],
  [of('must be an action such as .+'), 'commands.create 같은 행위 또는 commands.* 같은 앞부분이어야 합니다'],
  [/^All .+'s elements must be unique$/, '같은 값이 두 번 이상 있습니다'],
  [/^property (\S+) should not exist$/, '알 수 없는 항목입니다: $1'],
  [/^nested property .+ must be either object or array$/, '객체여야 합니다'],
  [/^the body must be a JSON object$/, 'JSON 객체여야 합니다'],
  [/^must be a whole number from (\d+) to (\d+)$/, '$1에서 $2 사이의 정수여야 합니다'],
  [/^nested deeper than (\d+) levels$/, '$1단계보다 깊게 중첩할 수 없습니다'],
  [/^(?:the name )?has a NUL character or a lone surrogate$/, '저장할 수 없는 문자가 있습니다'],
  [/^the name is not allowed$/, '쓸 수 없는 이름입니다'],
  [/^more than (\d+) bytes$/i, '$1바이트보다 큽니다'],
  [/^is missing$/, '필요합니다'],
  [/^must be after notBefore$/, '시작 시각보다 뒤여야 합니다'],
  [/^is not of this list; begin again without it$/, '이 목록의 항목이 아닙니다. 처음부터 다시 불러오세요'],
];

/** Of payloads and their limits, by the JSON Schema of the action. */
const PAYLOADS: readonly Translation[] = [
  [/^must be <= (\S+)$/, '$1 이하여야 합니다'],
  [/^must be >= (\S+)$/, '$1 이상이어야 합니다'],
  [/^must be < (\S+)$/, '$1보다 작아야 합니다'],
  [/^must be > (\S+)$/, '$1보다 커야 합니다'],
  [/^must be multiple of (\S+)$/, '$1의 배수여야 합니다'],
  [/^must NOT have fewer than (\d+) characters$/, '$1자 이상이어야 합니다'],
  [/^must NOT have more than (\d+) characters$/, '$1자 이하여야 합니다'],
  [/^must NOT have fewer than (\d+) (?:items|properties)$/, '적어도 $1개가 필요합니다'],
  [/^must NOT have more than (\d+) (?:items|properties)$/, '최대 $1개입니다'],
  [/^must NOT have duplicate items .+$/, '같은 값이 두 번 이상 있습니다'],
  [/^must NOT have additional properties$/, '알 수 없는 항목입니다'],
  [/^must have required property '(.+)'$/, '꼭 필요한 항목입니다: $1'],
  [/^must have property (\S+) when property (\S+) is present$/, '$2 항목이 있으면 $1 항목도 필요합니다'],
  [/^must be equal to (?:one of the allowed values|constant)$/, '허용된 값이 아닙니다'],
  [/^must match pattern (.+)$/, '$1 형식이어야 합니다'],
  [/^must match format (.+)$/, '$1 형식이어야 합니다'],
  [/^must match (?:a schema in anyOf|exactly one schema in oneOf|"\w+" schema)$/, '가능한 형식 가운데 하나여야 합니다'],
  [/^must (?:NOT be valid|contain .+)$|^boolean schema is false$/, '허용된 값이 아닙니다'],
  [/^must be integer$/, '정수여야 합니다'],
  [/^must be number$/, '숫자여야 합니다'],
  [/^must be (?:a )?string$/, '문자열이어야 합니다'],
  [/^must be boolean$/, 'true 또는 false여야 합니다'],
  [/^must be array$/, '목록이어야 합니다'],
  [/^must be (?:object|a JSON object)$/, 'JSON 객체여야 합니다'],
  [/^must be null$/, '비어 있어야 합니다'],
  [/^must be ([a-z]+(?:,[a-z]+)+)$/, '다음 형식 중 하나여야 합니다: $1'],
  [/^must be given: your grant limits it$/, '제한이 걸린 값이므로 반드시 지정해야 합니다'],
  [/^is not (?:valid|allowed)$/, '올바르지 않습니다'],
  [
    /^(\d+) of these clients do not have the action (.+), (.+) for one$/,
    '이 가운데 클라이언트 $1대에 $2 동작이 없습니다. 예: $3',
  ],
  [/^unknown action (.+); known are (.+)$/, '알 수 없는 동작 $1입니다. 가능한 동작: $2'],
  [
    /^the agent sent a schema of this action that is not valid$/,
    '에이전트가 알린 이 동작의 스키마가 올바르지 않습니다',
  ],
];

/** Of one field, by what is already there. */
const FIELDS: readonly Translation[] = [
  [/^must have at least (\d+) characters$/, '$1자 이상이어야 합니다'],
  [/^must have at most (\d+) characters$/, '$1자 이하여야 합니다'],
  [/^must have (\d+) to (\d+) characters$/, '$1자에서 $2자 사이여야 합니다'],
  [/^must not be more than (\d+)$/, '최대 $1개입니다'],
  [/^is one of the passwords that are tried first$/, '너무 흔해서 가장 먼저 시도되는 비밀번호입니다'],
  [/^is wrong, or was used before$/, '틀렸거나 이미 사용한 코드입니다'],
  [/^is wrong$/, '올바르지 않습니다'],
  [/^give a code, or the password$/, '코드 또는 비밀번호를 입력하세요'],
  [/^must be in the future$/, '현재보다 나중이어야 합니다'],
  [/^there is no such (?:person|user)$/i, '그런 사용자가 없습니다'],
  [/^there is no such role$/i, '그런 역할이 없습니다'],
  [/^there is no such client$/i, '그런 클라이언트가 없습니다'],
  [/^there is no such channel$/i, '그런 채널이 없습니다'],
  [/^there is no such entry \(any more\)$/i, '그런 기록이 더는 없습니다'],
  [/^there is no role (.+)$/, '역할 $1이(가) 없습니다'],
  [/^no client is meant by these targets$/, '이 조건에 맞는 클라이언트가 없습니다'],
  [/^name clientIds, groups, labels or all: true$/, '장비를 선택하세요'],
  [/^the client is not in this group$/, '클라이언트가 이 그룹에 속하지 않습니다'],
  [/^must be (.+), or left out$/, '$1이거나 비어 있어야 합니다'],
  [/^must name either user or role$/, '사용자와 역할 가운데 하나만 지정하세요'],
  [/^limits name one action each$/, '제한은 동작마다 따로 지정해야 합니다'],
  [/^the grant does not name this action$/, '이 동작은 허용에 들어 있지 않습니다'],
  [/^must be an object of parameter names and schemas$/, '매개변수 이름과 스키마의 객체여야 합니다'],
  [/^must be a JSON Schema of at most ([\d,]+) characters$/, '$1자 이하의 JSON 스키마여야 합니다'],
  [/^must not use (\$.+)$/, '다음을 쓸 수 없습니다: $1'],
  [/^is not a JSON Schema: (.+)$/, 'JSON 스키마가 아닙니다: $1'],
  [/^name an action, or another permission than commands\.create$/, '동작 또는 다른 권한을 지정하세요'],
  [/^(\S+) knows no actions: leave it out$/, '$1 권한에는 동작이 없습니다. 비워 두세요'],
  [/^belongs to an action: name it$/, '동작을 함께 지정하세요'],
  [/^The address is not a public one; .+$/, '공개 주소가 아닙니다. ALERT_WEBHOOK_ALLOW에 적은 네트워크만 예외입니다'],
  [/^Without TLS only networks .+$/, 'TLS 없이는 ALERT_WEBHOOK_ALLOW에 적은 네트워크에만 보냅니다'],
  [/^must begin with (.+)$/, '$1(으)로 시작해야 합니다'],
  [/^must not hold a user or a password: .+$/, '주소에 사용자 이름이나 비밀번호를 넣을 수 없습니다'],
  [/^only e-mail channels have addresses$/, '받는 주소는 이메일 채널에만 있습니다'],
  [/^only webhooks have an address of this kind$/, '이런 주소는 웹훅에만 있습니다'],
];

/** Why something is refused. */
const REFUSALS: readonly Translation[] = [
  [/^You cannot give what you do not have: (.+)$/, '본인에게 없는 권한은 줄 수 없습니다: $1'],
  [/^You cannot take what you do not have: (.+)$/, '본인에게 없는 권한은 회수할 수 없습니다: $1'],
  [/^This person may do what you may not: (.+)$/, '본인보다 권한이 많은 사용자는 바꿀 수 없습니다: $1'],
  [
    /^Joining (.+) would give others what you do not have: (.+)$/,
    '그룹 $1에 넣으면 본인에게 없는 권한을 다른 사용자에게 주게 됩니다: $2',
  ],
  [
    /^Leaving (.+) would take from others what you do not have: (.+)$/,
    '그룹 $1에서 빼면 본인에게 없는 권한을 다른 사용자에게서 회수하게 됩니다: $2',
  ],
  [/^You need the permission (\S+)$/, '$1 권한이 필요합니다'],
  [/^You need the permission (\S+) on all clients$/, '모든 클라이언트에 대한 $1 권한이 필요합니다'],
  [/^No grant lets you run (\S+) on this client$/, '이 클라이언트에서 $1 동작을 실행하도록 허용되지 않았습니다'],
  [
    /^No grant lets you run (\S+) on (\d+) of these clients$/,
    '이 가운데 클라이언트 $2대에서 $1 동작을 실행하도록 허용되지 않았습니다',
  ],
  [/^Your rights were withdrawn a moment ago$/, '조금 전에 권한이 회수되었습니다'],
  [/^This call is for .+$/, '이 계정으로는 할 수 없는 요청입니다'],
  [/^A personal access token cannot do this: log in$/, '개인 액세스 토큰으로는 할 수 없습니다. 로그인하세요'],
  [
    /^A role of yours demands a second factor: enrol or prove it first$/,
    '본인의 역할에는 2단계 인증이 필요합니다. 먼저 설정하거나 인증하세요',
  ],
  [
    /^This session has not proven the second factor: give a code$/,
    '이 세션에서 2단계 인증을 하지 않았습니다. 코드를 입력하세요',
  ],
];

/** Why something that was begun came to nothing. */
const OUTCOMES: readonly Translation[] = [
  [
    /^your rights have changed since this export was ordered; order it again$/,
    '요청한 뒤 권한이 바뀌었습니다. 다시 요청하세요',
  ],
  [
    /^the export could not be written; the server log says why$/,
    '파일을 만들지 못했습니다. 원인은 서버 로그에 있습니다',
  ],
  [/^expiresAt passed before it started$/, '만료 시각까지 시작하지 못했습니다'],
  [/^no word from the agent by the deadline$/, '기한까지 에이전트의 응답이 없었습니다'],
  [/^the client was removed$/i, '클라이언트가 삭제되었습니다'],
  [
    /^the agent no longer knows of this command: .+$/,
    '에이전트가 이 명령을 더는 알지 못합니다. 실행되었을 수도, 아닐 수도 있습니다',
  ],
  [/^Answered (\d+)$/, '응답 코드 $1'],
  [/^Answered (\d+): redirects are not followed$/, '응답 코드 $1: 리디렉션은 따라가지 않습니다'],
  [/^No answer within (\d+) s$/i, '$1초 안에 응답이 없었습니다'],
  [/^No connection: (\S+)$/, '연결하지 못했습니다: $1'],
  [/^not connected$/, '연결되지 않았습니다'],
  [/^The mail server did not take it: (.+)$/, '메일 서버가 받지 않았습니다: $1'],
];

/** What the server says in English, in Korean: the first whose pattern is that of the sentence. */
export const KOREAN: readonly Translation[] = [...FIELDS, ...PAYLOADS, ...BODIES, ...REFUSALS, ...OUTCOMES];
