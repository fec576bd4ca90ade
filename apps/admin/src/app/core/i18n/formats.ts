import { computed, inject, Injectable } from '@angular/core';
import { I18n } from './i18n';

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
const DURATION_UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** Dates, times, durations and numbers in the chosen language; days and hours are the browser's time zone. */
@Injectable({ providedIn: 'root' })
export class Formats {
  private readonly language = inject(I18n).language;
  private readonly moment = computed(
    () => new Intl.DateTimeFormat(this.language(), { dateStyle: 'medium', timeStyle: 'medium' }),
  );
  private readonly clock = computed(() => new Intl.DateTimeFormat(this.language(), { timeStyle: 'medium' }));
  private readonly hours = computed(
    () => new Intl.DateTimeFormat(this.language(), { hour: 'numeric', minute: '2-digit' }),
  );
  private readonly daysAndHours = computed(
    () =>
      new Intl.DateTimeFormat(this.language(), { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' }),
  );
  private readonly plain = computed(() => new Intl.NumberFormat(this.language()));

  dateTime(time: string | number): string {
    return this.moment().format(new Date(time));
  }

  time(time: string | number): string {
    return this.clock().format(new Date(time));
  }

  /** The clock without seconds. */
  minute(time: string | number): string {
    return this.hours().format(new Date(time));
  }

  /** The day and the clock without seconds. */
  dayAndMinute(time: string | number): string {
    return this.daysAndHours().format(new Date(time));
  }

  number(value: number): string {
    return this.plain().format(value);
  }

  /** A size in its largest unit: `4.2 MB`. */
  bytes(count: number): string {
    const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log(Math.max(1, count)) / Math.log(1_000)));
    const value = count / 1_000 ** power;
    return this.unit(power === 0 ? value : Math.round(value * 10) / 10, BYTE_UNITS[power] ?? 'byte');
  }

  /** Milliseconds as `340 ms`, `4.2 sec`, or its two largest units. */
  duration(milliseconds: number): string {
    if (milliseconds < 1_000) return this.unit(Math.round(milliseconds), 'millisecond');
    if (milliseconds < 60_000) return this.unit(Math.floor(milliseconds / 100) / 10, 'second');
    let rest = Math.floor(milliseconds / 1_000);
    const parts: string[] = [];
    for (const [unit, seconds] of DURATION_UNITS) {
      const count = Math.floor(rest / seconds);
      rest %= seconds;
      if (count > 0 && parts.length < 2) parts.push(this.unit(count, unit));
    }
    return parts.join(' ');
  }

  private unit(value: number, unit: string): string {
    return new Intl.NumberFormat(this.language(), { style: 'unit', unit, unitDisplay: 'short' }).format(value);
  }
}
