// The page's events for the engine, with the app's own connectivity detector if it has one (R8).

import { watchPage } from '../../js/page.js'
import type { PageEvents } from './ports.js'
import type { OnlineDetector } from './types.js'

/** Watches the page; `changed` is called whenever the connectivity may have changed. */
export function watching(detector: OnlineDetector | undefined, changed: () => void): (on: PageEvents) => () => void {
  return (on) => {
    let isOver = false
    const online = (is: boolean) => {
      // A detector of the app's may go on after its end.
      if (isOver) return
      on.online(is)
      changed()
    }
    if (detector === undefined) return watchPage({ ...on, online })
    const ends = [watchPage({ ...on, online: () => {} }), detector.subscribe(online)]
    if (!detector.isOnline()) online(false)
    return () => {
      isOver = true
      for (const end of ends) end()
    }
  }
}

/** `navigator.onLine`; where there is none it is online. */
export const pageDetector: Pick<OnlineDetector, 'isOnline'> = {
  isOnline: () => globalThis.navigator?.onLine !== false,
}
