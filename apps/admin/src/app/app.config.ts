import { provideHttpClient, withFetch, withInterceptors } from '@angular/common/http';
import {
  type ApplicationConfig,
  inject,
  provideAppInitializer,
  provideBrowserGlobalErrorListeners,
  provideZonelessChangeDetection,
} from '@angular/core';
import {
  provideRouter,
  TitleStrategy,
  withComponentInputBinding,
  withInMemoryScrolling,
  withNavigationErrorHandler,
} from '@angular/router';
import { routes } from './app.routes';
import { TranslatedTitle } from './core/i18n/translated-title';
import { loadNewVersion } from './core/new-version';
import { readableProblems } from './core/http/readable-problems.interceptor';
import { bearer } from './core/session/bearer.interceptor';
import { Session } from './core/session/session';

export const appConfig: ApplicationConfig = {
  providers: [
    provideZonelessChangeDetection(),
    provideBrowserGlobalErrorListeners(),
    provideHttpClient(withFetch(), withInterceptors([bearer, readableProblems])),
    provideRouter(
      routes,
      withComponentInputBinding(),
      withInMemoryScrolling({ scrollPositionRestoration: 'enabled' }),
      withNavigationErrorHandler(loadNewVersion),
    ),
    provideAppInitializer(() => inject(Session).restore()),
    { provide: TitleStrategy, useExisting: TranslatedTitle },
  ],
};
