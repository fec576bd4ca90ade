import { Module } from '@nestjs/common';
import { AlertsModule } from './alerts.module';
import { Judge } from './judge';
import { DeliveryProcessor } from './postman';
import { Watchman } from './watchman';

/** What a worker does for alerts: looks at the rules, and brings the news. */
@Module({ imports: [AlertsModule], providers: [Judge, Watchman, DeliveryProcessor] })
export class AlertsWorkerModule {}
