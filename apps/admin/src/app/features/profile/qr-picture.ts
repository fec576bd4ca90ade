import { ChangeDetectionStrategy, Component, computed, input } from '@angular/core';
import { encode } from 'uqr';

/** White around the dots, as the standard asks for. */
const BORDER = 4;

/** A text as a QR code, drawn here: it leaves the browser for nobody. Dark on light in every theme, which all cameras read. */
@Component({
  selector: 'gw-qr-picture',
  template: `
    <svg role="img" shape-rendering="crispEdges" [attr.aria-label]="label()" [attr.viewBox]="code().box">
      <rect width="100%" height="100%" fill="#fff" />
      <path fill="#000" [attr.d]="code().dots" />
    </svg>
  `,
  styles: `
    :host {
      display: block;
      width: min(100%, 220px);
    }
    svg {
      display: block;
      border-radius: 8px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class QrPicture {
  readonly text = input.required<string>();
  readonly label = input.required<string>();
  protected readonly code = computed(() => {
    const { size, data } = encode(this.text(), { ecc: 'M', border: BORDER });
    const dots = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { box: `0 0 ${size} ${size}`, dots: dots.join('') };
  });
}
