import { ChangeDetectionStrategy, Component, inject } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { RouterLink } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { EmptyState } from '../../shared/empty-state';

@Component({
  selector: 'gw-not-found-page',
  imports: [EmptyState, MatButtonModule, RouterLink],
  template: `
    <h1 class="gw-unseen">{{ text().titles.notFound }}</h1>
    <gw-empty-state icon="error" [title]="text().notFound.title" [hint]="text().notFound.hint">
      <a matButton="filled" routerLink="/">{{ text().notFound.home }}</a>
    </gw-empty-state>
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class NotFoundPage {
  protected readonly text = inject(I18n).text;
}
