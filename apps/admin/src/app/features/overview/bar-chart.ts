import { ChangeDetectionStrategy, Component, computed, input } from '@angular/core';

export interface Bar {
  /** When it begins, in words. */
  name: string;
  /** One count a series. */
  counts: readonly number[];
}

export interface Series {
  key: string;
  name: string;
}

/** Stacked bars of counts over time, and the same as a table for those who do not see them. */
@Component({
  selector: 'gw-bar-chart',
  template: `
    <figure>
      <div class="plot">
        <span class="top" aria-hidden="true">{{ scale()(format()(top())) }}</span>
        <svg
          role="img"
          preserveAspectRatio="none"
          [attr.aria-label]="summary()"
          [attr.viewBox]="'0 0 ' + bars().length + ' 100'"
        >
          @for (stack of stacks(); track $index; let column = $index) {
            <g>
              <title>{{ stack.title }}</title>
              <rect class="whole" y="0" width="1" height="100" [attr.x]="column" />
              @for (part of stack.parts; track part.key) {
                <rect
                  width="0.7"
                  [attr.class]="part.key"
                  [attr.x]="column + 0.15"
                  [attr.y]="part.y"
                  [attr.height]="part.height"
                />
              }
            </g>
          }
        </svg>
        <div class="times" aria-hidden="true">
          @for (name of marks(); track $index) {
            <span>{{ name }}</span>
          }
        </div>
      </div>
      <ul aria-hidden="true">
        @for (one of legend(); track one.key) {
          <li><i [class]="one.key"></i>{{ one.name }} {{ format()(one.total) }}</li>
        }
      </ul>
      <div class="gw-unseen">
        <table>
          <caption>
            {{
              summary()
            }}
          </caption>
          <thead>
            <tr>
              <th scope="col">{{ corner() }}</th>
              @for (one of series(); track one.key) {
                <th scope="col">{{ one.name }}</th>
              }
            </tr>
          </thead>
          <tbody>
            @for (bar of bars(); track $index) {
              <tr>
                <th scope="row">{{ bar.name }}</th>
                @for (count of bar.counts; track $index) {
                  <td>{{ format()(count) }}</td>
                }
              </tr>
            }
          </tbody>
        </table>
      </div>
    </figure>
  `,
  styleUrl: './bar-chart.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class BarChart {
  readonly bars = input.required<readonly Bar[]>();
  /** From the bottom of a bar to its top; a key is a state of a command. */
  readonly series = input.required<readonly Series[]>();
  /** The name of the picture and of the table, and of its first column. */
  readonly summary = input.required<string>();
  readonly corner = input.required<string>();
  /** What the height of the highest line stands for. */
  readonly scale = input.required<(count: string) => string>();
  readonly format = input.required<(value: number) => string>();

  private readonly totals = computed(() => this.bars().map(({ counts }) => sum(counts)));
  /** A round number above all bars. */
  protected readonly top = computed(() => roundUp(Math.max(...this.totals(), 1)));
  protected readonly stacks = computed(() =>
    this.bars().map(({ name, counts }) => {
      let y = 100;
      const parts = counts.map((count, at) => {
        const height = (count / this.top()) * 100;
        y -= height;
        return { key: this.series()[at]?.key ?? '', y, height };
      });
      const said = counts.flatMap((count, at) =>
        count > 0 ? [`${this.series()[at]?.name ?? ''} ${this.format()(count)}`] : [],
      );
      return { title: [name, ...said].join('\n'), parts: parts.filter(({ height }) => height > 0) };
    }),
  );
  protected readonly legend = computed(() =>
    this.series().map((one, at) => ({ ...one, total: sum(this.bars().map(({ counts }) => counts[at] ?? 0)) })),
  );
  protected readonly marks = computed(() => {
    const names = this.bars().map(({ name }) => name);
    return [0, 0.25, 0.5, 0.75].map((part) => names[Math.floor(part * names.length)] ?? '');
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** 1, 2 or 5 with zeros. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * power >= value) ?? 10) * power;
}
