import { TestBed } from '@angular/core/testing';
import { Subject } from 'rxjs';
import { EventStream } from '../events/event-stream';
import { RightsWatch } from './rights-watch';
import { Session } from './session';

describe('the watch over one’s rights', () => {
  it('reads them again whenever the stream opens', () => {
    const opened = new Subject<void>();
    const readAgain = jest.fn().mockResolvedValue(undefined);
    TestBed.configureTestingModule({
      providers: [
        { provide: EventStream, useValue: { opened } },
        { provide: Session, useValue: { readAgain } },
      ],
    });
    TestBed.inject(RightsWatch);
    expect(readAgain).not.toHaveBeenCalled();
    opened.next();
    opened.next();
    expect(readAgain).toHaveBeenCalledTimes(2);
  });
});
