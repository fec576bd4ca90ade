import { GroupCommit } from '../../apps/api/src/core/database/group-commit';
import { addClients, administrator, ANY_STEPS, connect } from './rows';

interface Step {
  what: 'pending' | 'dispatched' | 'started' | 'ended';
  id: string;
  clientId: string;
}

/** Writes the rows of steps as they come: what came while a commit was under way goes into the next one, as one statement. */
export class GroupedRows {
  private constructor(private readonly group: GroupCommit<Step, void>) {}

  /** On a copy of the server's database, for these machines. */
  static async on(url: string, clientIds: string[]): Promise<GroupedRows> {
    const client = await connect(url);
    await addClients(client, clientIds);
    const adminId = await administrator(client);
    return new GroupedRows(
      new GroupCommit<Step, void>(async (steps) => {
        const created = steps.filter(({ what }) => what === 'pending' || what === 'dispatched');
        const idsOf = (some: Step[]): string[] => some.map(({ id }) => id);
        await client.query({
          name: 'steps',
          text: ANY_STEPS,
          values: [
            idsOf(created),
            created.map(({ clientId }) => clientId),
            created.map(({ what }) => what),
            adminId,
            idsOf(steps.filter(({ what }) => what === 'started')),
            idsOf(steps.filter(({ what }) => what === 'ended')),
          ],
        });
        return steps.map(() => undefined);
      }),
    );
  }

  /** Answers when the rows are durable. */
  write(what: Step['what'], id: string, clientId: string): Promise<void> {
    return this.group.add({ what, id, clientId });
  }
}
