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
export const Pencil = icon(<path d="m4 16 .7-3.300 8.400-8.400a1.400 1.400 0 0 1 2 0l.600.600a1.400 1.400 0 0 1 0 2L7.300 15.300 4 16Z" />)
export const Bin = icon(<path d="M4 6h12M8 6V4.200h4V6m-6.400 0 .700 9.800h7.400L14.400 6M8.400 9v4M11.600 9v4" />)
export const Cross = icon(<path d="m5.500 5.500 9 9m0-9-9 9" />)
export const Undo = icon(<path d="M7.500 4.500 4 8l3.500 3.500M4 8h7.500a4 4 0 0 1 0 8H9" />)
export const Sun = icon(<><circle cx="10" cy="10" r="3.200" /><path d="M10 2.800v1.600m0 11.200v1.600M2.800 10h1.600m11.200 0h1.600M4.900 4.900 6 6m8 8 1.100 1.100m0-10.200L14 6M6 14l-1.100 1.100" /></>)
export const Moon = icon(<path d="M15.800 11.800A6.300 6.300 0 1 1 8.200 4.200a5 5 0 0 0 7.600 7.600Z" />)
export const Tray = icon(<path d="M3.500 11.500h3.700l1.200 2h3.200l1.200-2h3.700M3.500 11.500 5.600 5h8.800l2.100 6.500V15a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-3.500Z" />)
export const Columns = icon(<path d="M4 4.500h3.200v11H4zM8.400 4.500h3.200v7H8.400zM12.800 4.500H16v9h-3.200z" />)
export const Bolt = icon(<path d="M11 3 5 11h4l-1 6 6-8h-4l1-6Z" />)
export const Lanes = icon(<path d="M3.500 6h7M13 6h3.500M3.500 10h3M9 10h7.500M3.500 14h9M15 14h1.500" />)
export const Download = icon(<path d="M10 4v8m0 0-3-3m3 3 3-3M4.500 15.500h11" />)
