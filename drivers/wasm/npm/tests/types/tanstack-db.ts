// The app's own collections and `createTransaction` fit, whatever they are typed by.

import { createCollection, createTransaction, localOnlyCollectionOptions, type Collection } from '@tanstack/db'
import { createOutbox, mutator, startOfflineExecutor, type Attempt } from 'outbox-offline'
import { tanstackDb, type TanstackDb } from 'outbox-offline/tanstack-db'

interface Todo { id: string; text: string; done: boolean }
const todos: Collection<Todo, string> = createCollection<Todo, string>({ id: 'todos', getKey: (todo) => todo.id, sync: { sync: () => {} } })
const counters = createCollection(localOnlyCollectionOptions<{ id: number; value: number }, number>({ id: 'counters', getKey: ({ id }) => id }))

const view: TanstackDb = tanstackDb({ createTransaction, collections: { todos, counters } })
view.add(todos)
tanstackDb({ createTransaction, collections: [todos, counters] })
startOfflineExecutor({ view })
createOutbox({
  view,
  mutators: {
    setDone: mutator({
      mutate: async ({ args }: Attempt<{ id: string; done: boolean }>) => ({ rev: args.id.length }),
      optimistic: ({ id, done }, { seq, replay }) => {
        todos.update(id, (draft) => { draft.done = done })
        void [seq, replay]
      },
      confirmed: (result, { id }, signal) => view.arrived(todos, id, (row) => row !== undefined && row.text.length > (result?.rev ?? 0), signal),
    }),
  },
}).on((event) => {
  if (event.type === 'optimisticFailed') void [event.id, event.mutatorName, event.error]
  if (event.type === 'viewDegraded') void event.error.message
})
// @ts-expect-error that is no collection
tanstackDb({ createTransaction, collections: { todos: {} } })
// @ts-expect-error the app's own createTransaction is needed
tanstackDb({ collections: { todos } })
// @ts-expect-error that is no view layer
startOfflineExecutor({ view: todos })
