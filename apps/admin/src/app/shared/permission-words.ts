import { type Permission, PERMISSIONS } from '@gwanje/contracts';
import type { Language } from '../core/i18n/i18n';

interface PermissionWords {
  /** By what stands before the dot. */
  modules: Record<string, string>;
  permissions: Record<Permission, string>;
}

/** Each permission in words, for those who give them and those who have them. */
export const PERMISSION_WORDS: Readonly<Record<Language, PermissionWords>> = {
  en: {
    modules: {
      commands: 'Commands',
      clients: 'Clients',
      grants: 'Grants',
      users: 'People',
      roles: 'Roles',
      audit: 'Audit log',
      alerts: 'Alerts',
      system: 'System',
    },
    permissions: {
      'commands.create': 'Send commands',
      'commands.read': 'See commands and their results',
      'commands.cancel': 'Cancel commands',
      'commands.retry': 'Run commands again',
      'clients.read': 'See clients',
      'clients.manage': 'Add, change and remove clients, and their keys',
      'grants.manage': 'Say who may run what where',
      'users.manage': 'Add, change and remove people',
      'roles.manage': 'Make and change roles',
      'audit.read': 'Read the audit log',
      'audit.export': 'Export the audit log',
      'alerts.read': 'See alerts, their rules and deliveries',
      'alerts.manage': 'Make and change rules and channels of alerts',
      'system.read': 'See the state of the system',
      'system.manage': 'Run failed jobs of the system again',
    },
  },
  ko: {
    modules: {
      commands: '명령',
      clients: '클라이언트',
      grants: '허용 범위',
      users: '사용자',
      roles: '역할',
      audit: '감사 로그',
      alerts: '알림',
      system: '시스템',
    },
    permissions: {
      'commands.create': '명령 보내기',
      'commands.read': '명령과 결과 보기',
      'commands.cancel': '명령 취소하기',
      'commands.retry': '명령 다시 실행하기',
      'clients.read': '클라이언트 보기',
      'clients.manage': '클라이언트와 키를 추가, 변경, 삭제하기',
      'grants.manage': '누가 어디서 무엇을 실행할지 정하기',
      'users.manage': '사용자를 추가, 변경, 삭제하기',
      'roles.manage': '역할을 만들고 바꾸기',
      'audit.read': '감사 로그 보기',
      'audit.export': '감사 로그 내보내기',
      'alerts.read': '알림과 규칙, 전달 내역 보기',
      'alerts.manage': '알림 규칙과 채널을 만들고 바꾸기',
      'system.read': '시스템 상태 보기',
      'system.manage': '실패한 시스템 작업 다시 실행하기',
    },
  },
};

export interface PermissionGroup {
  module: string;
  permissions: Permission[];
}

/** All permissions, or some of them, by module. */
export function permissionGroups(some: readonly Permission[] = PERMISSIONS): PermissionGroup[] {
  const groups: PermissionGroup[] = [];
  for (const permission of PERMISSIONS.filter((name) => some.includes(name))) {
    const module = permission.slice(0, permission.indexOf('.'));
    const group = groups.find((known) => known.module === module);
    if (group) group.permissions.push(permission);
    else groups.push({ module, permissions: [permission] });
  }
  return groups;
}
