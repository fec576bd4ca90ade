import { ChangeDetectionStrategy, Component, inject, signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { provideRouter } from '@angular/router';
import { NewVersion } from '../../core/new-version';
import { Session } from '../../core/session/session';
import { Shortcuts } from './shortcuts';

// As when the server is away, or has another version.
jest.mock('./palette', () => {
  throw new TypeError('Failed to fetch dynamically imported module');
});

@Component({
  selector: 'gw-any',
  template: '',
  providers: [Shortcuts],
  changeDetection: ChangeDetectionStrategy.OnPush,
})
class Any {
  readonly shortcuts = inject(Shortcuts);
}

describe('the shortcuts', () => {
  it('hand on that a dialog could not be loaded', async () => {
    const load = jest.fn().mockResolvedValue(undefined);
    TestBed.configureTestingModule({
      providers: [
        provideRouter([]),
        { provide: Session, useValue: { user: signal(null) } },
        { provide: NewVersion, useValue: { load } },
      ],
    });
    const fixture = TestBed.createComponent(Any);
    await fixture.whenStable();
    fixture.componentInstance.shortcuts.openPalette();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(load).toHaveBeenCalledWith(expect.any(TypeError), '/');
  });
});
