// The icons, drawn here: 20 by 20, in the colour of the text. They say nothing by themselves.

import type { ReactNode } from 'react'

function icon(path: ReactNode) {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor"
        strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round">{path}</svg>
    )
  }
}

export const Plus = icon(<path d="M10 4v12M4 10h12" />)
export const Pencil = icon(<path d="m4 16 .7-3.3 8.4-8.4a1.4 1.4 0 0 1 2 0l.6.6a1.4 1.4 0 0 1 0 2L7.3 15.3 4 16Z" />)
export const Bin = icon(<path d="M4 6h12M8 6V4.2h4V6m-6.4 0 .7 9.8h7.4L14.4 6M8.4 9v4M11.6 9v4" />)
export const Cross = icon(<path d="m5.5 5.5 9 9m0-9-9 9" />)
export const Undo = icon(<path d="M7.5 4.5 4 8l3.5 3.5M4 8h7.5a4 4 0 0 1 0 8H9" />)
export const Sun = icon(<><circle cx="10" cy="10" r="3.2" /><path
  d="M10 2.8v1.6m0 11.2v1.6M2.8 10h1.6m11.2 0h1.6M4.9 4.9 6 6m8 8 1.1 1.1m0-10.2L14 6M6 14l-1.1 1.1" /></>)
export const Moon = icon(<path d="M15.8 11.8A6.3 6.3 0 1 1 8.2 4.2a5 5 0 0 0 7.6 7.6Z" />)
export const Tray = icon(<path d="M3.5 11.5h3.7l1.2 2h3.2l1.2-2h3.7M3.5 11.5 5.6 5h8.8l2.1 6.5V15a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-3.5Z" />)
export const Columns = icon(<path d="M4 4.5h3.2v11H4zM8.4 4.5h3.2v7H8.4zM12.8 4.5H16v9h-3.2z" />)
export const Bolt = icon(<path d="M11 3 5 11h4l-1 6 6-8h-4l1-6Z" />)
export const Lanes = icon(<path d="M3.5 6h7M13 6h3.5M3.5 10h3M9 10h7.5M3.5 14h9M15 14h1.5" />)
export const Download = icon(<path d="M10 4v8m0 0-3-3m3 3 3-3M4.5 15.5h11" />)
