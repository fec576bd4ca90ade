import { TestBed } from '@angular/core/testing';
import { type ActivatedRouteSnapshot, Router, type RouterStateSnapshot, UrlTree } from '@angular/router';
import type { Me } from '../http/wire';
import { secondFactorDone } from './second-factor.guard';
import { Session } from './session';

describe('whoever owes a second factor', () => {
  const visit = (url: string, satisfied: boolean | null): unknown => {
    const user = satisfied === null ? null : ({ secondFactor: { satisfied } } as Me);
    TestBed.resetTestingModule().configureTestingModule({
      providers: [{ provide: Session, useValue: { user: () => user } }],
    });
    const answer = TestBed.runInInjectionContext(() =>
      secondFactorDone({} as ActivatedRouteSnapshot, { url } as RouterStateSnapshot),
    );
    return answer instanceof UrlTree ? TestBed.inject(Router).serializeUrl(answer) : answer;
  };

  it('is led to the profile, and may stay there', () => {
    expect(visit('/commands?status=failed', false)).toBe('/profile?next=%2Fcommands%3Fstatus%3Dfailed');
    expect(visit('/', false)).toBe('/profile');
    expect(visit('/profile?next=%2F', false)).toBe(true);
    expect(visit('/commands', true)).toBe(true);
    expect(visit('/commands', null)).toBe(true);
  });
});
