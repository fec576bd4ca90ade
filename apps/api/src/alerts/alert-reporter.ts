import { Injectable, OnModuleInit } from '@nestjs/common';
import { Bus } from '../core/events/bus.service';
import { NewsSources } from '../core/events/news-sources';
import { AlertReader } from './alert-reader';

/** Reports alerts, and what becomes of the news of them, to the news desk. */
@Injectable()
export class AlertReporter implements OnModuleInit {
  constructor(
    private readonly reader: AlertReader,
    private readonly bus: Bus,
    private readonly sources: NewsSources,
  ) {}

  onModuleInit(): void {
    const common = { permission: 'alerts.read', isShared: true } as const;
    this.sources.add({
      ...common,
      topic: 'alerts',
      event: 'alert',
      listen: (note) => this.bus.on('alerts', ({ ids }) => note(ids)),
      changedSince: (point, atMost) => this.reader.changedSince('alerts', point, atMost),
      read: (ids, person) => this.reader.news(ids, person),
    });
    this.sources.add({
      ...common,
      topic: 'deliveries',
      event: 'delivery',
      listen: (note) => this.bus.on('deliveries', ({ ids }) => note(ids)),
      changedSince: (point, atMost) => this.reader.changedSince('alert_deliveries', point, atMost),
      read: (ids, person) => this.reader.deliveryNews(ids, person),
    });
  }
}
