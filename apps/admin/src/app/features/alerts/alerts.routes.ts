import type { Routes } from '@angular/router';

export const routes: Routes = [
  {
    path: '',
    loadComponent: () => import('./alerts.page').then((m) => m.AlertsPage),
    children: [
      { path: '', title: 'alerts', loadComponent: () => import('./fired.page').then((m) => m.FiredPage) },
      { path: 'rules', title: 'alertRules', loadComponent: () => import('./rules.page').then((m) => m.RulesPage) },
      {
        path: 'channels',
        title: 'alertChannels',
        loadComponent: () => import('./channels.page').then((m) => m.ChannelsPage),
      },
      {
        path: 'deliveries',
        title: 'alertDeliveries',
        loadComponent: () => import('./deliveries.page').then((m) => m.DeliveriesPage),
      },
    ],
  },
];
