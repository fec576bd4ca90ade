import { ChangeDetectionStrategy, Component, signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { provideRouter, Router, RouterOutlet, type Routes } from '@angular/router';
import type { Permission } from '@gwanje/contracts';
import { routes } from './app.routes';
import type { User } from './core/http/wire';
import { Session } from './core/session/session';
import { PAGES } from './pages';

@Component({
  selector: 'gw-any',
  imports: [RouterOutlet],
  template: '<router-outlet />',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
class Any {}

/** The same routes with nothing to draw. */
const drawnBare = (all: Routes): Routes =>
  all.map(({ loadComponent, loadChildren, children, ...route }) => ({
    ...route,
    ...(loadComponent && { component: Any }),
    ...(loadChildren && { loadChildren: async () => drawnBare((await loadChildren()) as Routes) }),
    ...(children && { children: drawnBare(children) }),
  }));

describe('the addresses', () => {
  const user = signal<User | null>(null);

  async function visit(address: string, permissions: Permission[] | null): Promise<{ url: string; title: unknown }> {
    user.set(permissions && { id: 'u', email: '', name: '', roles: [], permissions });
    TestBed.configureTestingModule({
      providers: [provideRouter(drawnBare(routes)), { provide: Session, useValue: { user } }],
    });
    TestBed.createComponent(Any);
    const router = TestBed.inject(Router);
    await router.navigateByUrl(address);
    let { root } = router.routerState.snapshot;
    while (root.firstChild) root = root.firstChild;
    return { url: router.url, title: root.routeConfig?.title };
  }

  it.each<[Permission[] | null, string]>([
    [['commands.read', 'clients.read'], '/overview'],
    [['clients.read'], '/clients'],
    [null, '/login'],
    [[], '/profile'],
  ])('begin, for %j, at %s', async (permissions, url) => {
    expect((await visit('/', permissions)).url).toBe(url);
  });

  it('lead a visitor to the log-in, and from there to where they wanted to go', async () => {
    expect((await visit('/clients/c1?x=1', null)).url).toBe('/login?next=%2Fclients%2Fc1%3Fx%3D1');
  });

  it.each(['/audit?action=auth.login', '/access'])(
    'of a visitor to %s stay as they are until the log-in',
    async (url) => {
      expect((await visit(url, null)).url).toBe(`/login?next=${encodeURIComponent(url)}`);
    },
  );

  it.each<[string, Permission[], string]>([
    ['/audit?action=auth.login', ['audit.read'], '/audit?action=auth.login'],
    ['/audit', ['audit.export'], '/audit/exports'],
    ['/access', ['users.manage', 'roles.manage'], '/access/users'],
    ['/access', ['grants.manage'], '/access/grants'],
  ])('%s leads those with %j to %s', async (address, permissions, url) => {
    expect((await visit(address, permissions)).url).toBe(url);
  });

  it('of a page that one may not see do not exist', async () => {
    expect(await visit('/commands', ['clients.read'])).toEqual({ url: '/commands', title: 'notFound' });
  });

  it('have a letter each', () => {
    expect(new Set(PAGES.map(({ key }) => key)).size).toBe(PAGES.length);
    expect(PAGES.map(({ key }) => key)).toEqual(PAGES.map(() => expect.stringMatching(/^[a-fh-z]$/) as string));
  });
});
