// The page's events for the engine, with the app's own connectivity detector if it has one (R8).

import { watchPage } from '../../js/page.js'
import type { PageEvents } from './ports.js'
import type { OnlineDetector } from './types.js'

/** Watches the page; `changed` is called whenever the connectivity may have changed. */
export function watching(detector: OnlineDetector | undefined, changed: () => void): (on: PageEvents) => () => void {
  return (on) => {
    const online = (is: boolean) => {
      on.online(is)
      changed()
    }
    if (detector === undefined) return watchPage({ ...on, online })
    const ends = [watchPage({ ...on, online: () => {} }), detector.subscribe(online)]
    if (!detector.isOnline()) online(false)
    return () => { for (const end of ends) end() }
  }
}

/** `navigator.onLine`; where there is none it is online. */
export const pageDetector: Pick<OnlineDetector, 'isOnline'> = {
  isOnline: () => globalThis.navigator?.onLine !== false,
}
