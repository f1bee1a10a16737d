// The board's outbox: what is written is stored first, shows at once, and is sent when it can be.

import { createTransaction } from '@tanstack/react-db'
import { startOfflineExecutor } from 'outbox-offline'
import { tanstackDb } from 'outbox-offline/tanstack-db'

import './mutations'
import { detector } from './network'
import { visits } from './visits'

export const outbox = startOfflineExecutor({
  name: 'field-service',
  view: tanstackDb({ createTransaction, collections: { visits } }),
  onlineDetector: detector,
  record: true, // for the button that downloads the recording
})
